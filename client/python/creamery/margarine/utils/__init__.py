"""margarine 2.x: what its scripts call beside the estimators."""
