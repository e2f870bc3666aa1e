"""The weights' gradient of max-pooled convolutions, from the windows' largest elements alone."""
