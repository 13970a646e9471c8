"""Where messages wait until the broker has them: a bounded queue with take, ack and release."""
