"""The network: parameters, layers, blocks, streams and fusion, loss, optimizer; knows no rank."""
