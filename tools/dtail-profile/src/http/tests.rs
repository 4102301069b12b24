use super::is_loopback_name;
