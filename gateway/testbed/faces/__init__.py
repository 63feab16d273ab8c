"""What puts the simulated devices and stations of a zone file on the wire, protocol by protocol."""
