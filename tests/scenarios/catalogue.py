"""Every fault that the scenarios know, by name."""

from __future__ import annotations

from tests.scenarios import field_faults, purchase_faults, stream_faults, traffic_faults

FAULTS = {
    fault.name: fault
    for module in (field_faults, purchase_faults, traffic_faults, stream_faults)
    for fault in module.FAULTS
}
