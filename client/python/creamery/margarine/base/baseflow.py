"""margarine 2.x: `from creamery.margarine.base.baseflow import BaseDensityEstimator`."""

from creamery.margarine.estimators._second import SecondGeneration as BaseDensityEstimator

__all__ = ["BaseDensityEstimator"]
