"""The method "winograd-spectral": one channel, bands innermost, planes by minimal filtering."""
