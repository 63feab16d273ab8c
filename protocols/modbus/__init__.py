"""Modbus TCP: SunSpec devices and stations with a register map, behind the one port."""
