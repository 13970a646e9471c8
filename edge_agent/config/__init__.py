"""The configuration: YAML to checked values, every mistake at once with its line."""
