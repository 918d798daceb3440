"""The built site, in a browser (Debian's packages `chromium` and `chromium-driver`). Runs on one Python."""
