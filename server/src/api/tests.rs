//! The API through its router.
