"""What everything stands on: errors, files, the machine, downloads, time."""
