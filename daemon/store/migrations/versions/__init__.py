"""What makes of a store of one version one of the next. What a release has shipped is never changed."""
