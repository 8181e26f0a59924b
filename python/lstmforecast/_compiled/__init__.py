"""The place of this distribution's extension module ``_core``, which `lstmforecast._load_core` loads."""
