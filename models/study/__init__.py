"""What the detector is compared with: general detectors, other receptive fields, classical filters, patches."""
