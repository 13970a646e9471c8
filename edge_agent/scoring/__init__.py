"""What the results of one stream mean over time: smoothed, or judged against normal."""
