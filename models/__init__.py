"""The mathematics: detector, classifier, their training and study, measuring, image files, the machine, the weights."""
