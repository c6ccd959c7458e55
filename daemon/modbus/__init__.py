"""The client of Modbus TCP: for outputs, requests and the switch."""
