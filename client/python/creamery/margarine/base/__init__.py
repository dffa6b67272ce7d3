"""margarine 2.x: the class that its estimators share."""
