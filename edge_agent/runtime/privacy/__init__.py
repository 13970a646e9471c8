"""What may leave this process by a configuration: the topics, the hosts, and where pixels are."""
