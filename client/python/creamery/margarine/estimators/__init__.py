"""margarine 2.x: the estimators, each in its module."""
