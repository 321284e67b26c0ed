//! RTP and RTCP headers, telephone events and reception statistics.
