"""The method "winograd-bands": one channel, bands innermost, planes by minimal filtering."""
