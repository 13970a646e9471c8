"""From a frame to the numbers a model wants, written straight into its input tensor."""
