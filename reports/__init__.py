"""What people and programs read: renderers (pure), sinks (files), and the deliverer that keeps them true."""
