"""Crops to train and test on, cut of sheets or drawn by themselves."""
