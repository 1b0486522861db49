"""Sound: devices and files, rings, rates and levels. The only place that knows PortAudio."""
