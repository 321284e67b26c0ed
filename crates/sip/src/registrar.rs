//! Registrar
