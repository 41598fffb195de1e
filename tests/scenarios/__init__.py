"""What Datebook does, rule by rule: one small file for each case, played on a real Radicale."""
