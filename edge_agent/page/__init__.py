"""A small page that shows how the agent does, for people beside the device."""
