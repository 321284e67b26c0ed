//! Stream
