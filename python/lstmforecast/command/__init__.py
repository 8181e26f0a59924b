"""The command line: options, and ``lstmforecast serve``.

May use everything. Start with `lstmforecast.cli`, which reads the arguments.
"""
