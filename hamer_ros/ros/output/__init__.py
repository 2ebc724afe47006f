"""From tracked hands to messages, transforms and pictures, and their publishers."""
