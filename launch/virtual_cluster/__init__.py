"""A cluster of virtual hosts on one Linux machine; run by `launch/virtual-cluster`."""
