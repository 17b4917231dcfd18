"""What lets an answer check itself: calibration, abstention, novelty, checks, deviations."""
