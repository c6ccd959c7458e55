"""Offline science: data, training, evaluation, the study, the bench. The service never imports it."""
