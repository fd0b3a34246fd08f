"""Chains of structures as Biopython reads them, with states by their helices and strands: `python structures.py > structures.txt`.

Needs biopython 1.88. The files in `structures` are those of the Protein Data Bank (CC0 1.0) as Biopython 1.83 distributes them:
1A8O (C-terminal domain of HIV-1 capsid, selenomethionine), 2BEG (fibril of amyloid beta, ten models), 1A7G (DNA-binding
domain of papillomavirus E2).

Each line: file, chain, sequence, states. Sequences are those of the residues of the first model that have a C-alpha atom. Ranges of
residues come from the columns of the PDB format, or from Biopython's dictionary of an mmCIF file.
"""

import gzip
import pathlib

from Bio.PDB import MMCIFParser, PDBParser
from Bio.PDB.MMCIF2Dict import MMCIF2Dict
from Bio.SeqUtils import seq1

FOLDER = pathlib.Path(__file__).parent / "structures"


def of_pdb(path):
    for line in gzip.open(path, "rt"):
        if line.startswith("HELIX"):
            yield "H", line[19], int(line[21:25]), int(line[33:37])
        elif line.startswith("SHEET"):
            yield "E", line[21], int(line[22:26]), int(line[33:37])


def of_cif(path):
    values = MMCIF2Dict(gzip.open(path, "rt"))
    for state, of in [("H", "_struct_conf"), ("E", "_struct_sheet_range")]:
        kinds = values.get("_struct_conf.conf_type_id") if state == "H" else None
        rows = [values.get(f"{of}.{item}", []) for item in ["beg_auth_asym_id", "beg_auth_seq_id", "end_auth_seq_id"]]
        for row, (chain, first, last) in enumerate(zip(*rows)):
            if kinds is None or kinds[row].startswith("HELX"):
                yield state, chain, int(first), int(last)


for path in sorted(FOLDER.iterdir()):
    is_pdb = path.name.endswith(".pdb.gz")
    parser = (PDBParser if is_pdb else MMCIFParser)(QUIET=True)
    ranges = list((of_pdb if is_pdb else of_cif)(path))
    for chain in next(iter(parser.get_structure("s", gzip.open(path, "rt")))):
        residues = [residue for residue in chain if "CA" in residue and residue["CA"].element == "C"]
        sequence = "".join(seq1(residue.resname, custom_map={"MSE": "M"}) for residue in residues)
        states = ""
        for residue in residues:
            within = {state for state, of, first, last in ranges if of == chain.id and first <= residue.id[1] <= last}
            states += "H" if "H" in within else "E" if "E" in within else "-"
        if residues:
            print(path.name, chain.id, sequence, states)
