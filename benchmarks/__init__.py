"""What the agent costs beside a bare script, measured in one run on one machine."""
