//! Laws and examples of this room.
