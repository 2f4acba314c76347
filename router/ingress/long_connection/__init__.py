"""The long connection: the router connects to Feishu, which pushes events over it, so that nothing need reach the router."""
