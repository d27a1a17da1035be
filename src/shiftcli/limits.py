"""How large a thing may be that is read from a file: every limit, with its reason.

No crystal that the networks know comes near these numbers. They are there so that a mistaken
path, a damaged file or a hostile one ends in a sentence and not in a full memory: reading and
checking one structure within them takes less than a minute of one core and less than 4 GB, and
a file less than a second for each megabyte besides.
"""

from __future__ import annotations

#: Bytes of a file, also once it is unpacked: 14,000 crystals with shieldings fill 200 MB.
BYTES = 500_000_000

#: Bytes of a file in a format whose parser needs many times the text's memory (CIF, PDB), or
#: that holds one structure. The largest CIFs, with all reflections, have some 50 MB.
PARSED_BYTES = 100_000_000

#: Structures in a file: the Cambridge Structural Database exports fewer at once.
STRUCTURES = 100_000

#: Atoms of a structure, after its symmetry was applied: a cube of organic crystal of 60 Å. To
#: predict as many distinct ones takes a CPU half an hour.
ATOMS = 20_000

#: Atom sites times symmetry operations: copies on special positions are merged after they
#: were made.
COPIES = 1_000_000

#: Symmetry operations: no space group has more in its conventional cell, and to see whether
#: they form a group takes all their products.
OPERATIONS = 192

#: Alternatives of one disordered region; all pairs of them are compared.
ALTERNATIVES = 500

#: Characters of the comment of an extended XYZ frame, which is parsed one by one.
COMMENT = 1_000_000

#: Columns of an extended XYZ frame.
COLUMNS = 1_000

#: Length of a cell vector (Å). The longest known in organic crystals is about 200.
CELL_LENGTH = 1_000.0

#: Lattice planes closer than this (Å) leave no room for an atom.
CELL_THICKNESS = 1.0

#: Coordinate of an atom (Å), in a cell before it is wrapped into it.
COORDINATE = 1e6

#: Periodic images that are made for one search of neighbours: 20,000 atoms in a cell of
#: ordinary shape have 80,000 within sight of the networks. 500 bytes each at most.
IMAGES = 4_000_000

#: Images that one site may have within sight of the networks (14.5 Å): four times diamond.
IMAGES_OF_SITE = 10_000

#: Atoms within bonding distance (up to 2.8 Å) of one place, alternatives of disorder counted:
#: ten times what disorder about a cubic site makes.
CROWD = 500

#: Pairs of atoms within bonding distance in a structure: a hundred for each atom.
PAIRS = 2_000_000

#: Atoms of a cell up to which symmetry is searched for where the file states none: the search
#: grows faster than the square, half a minute at this size.
SYMMETRY_SEARCH_ATOMS = 2_000
