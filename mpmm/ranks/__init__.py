"""The roles: one process, worker, parameter server, driver; they play a schedule."""
