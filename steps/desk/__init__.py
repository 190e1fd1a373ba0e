"""The learner's desk: lay out mine/, see how far it has come, catch up, compare."""
