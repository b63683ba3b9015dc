"""The container image: built, looked into and tried as it will be used."""
