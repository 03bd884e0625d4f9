"""Lookup tables have no gradients."""

from __future__ import annotations

from graphgrad.registry import no_gradient

no_gradient(
    *["HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2"],
    *["MutableHashTableOfTensors", "MutableHashTableOfTensorsV2", "MutableDenseHashTable", "MutableDenseHashTableV2"],
    *["InitializeTable", "InitializeTableV2", "InitializeTableFromTextFile", "InitializeTableFromTextFileV2"],
    *["LookupTableFind", "LookupTableFindV2", "LookupTableInsert", "LookupTableInsertV2"],
    *["LookupTableSize", "LookupTableSizeV2"],
)
