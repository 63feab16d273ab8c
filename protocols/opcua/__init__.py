"""OPC UA devices and stations behind the port."""
