pytest_plugins = ["steps.grading"]
