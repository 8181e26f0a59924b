"""The commands of ``lstmforecast``, a module each, with the options and files that they share.

May use all rooms. Start with `lstmforecast.cli`, which reads the arguments and calls a command.
"""
