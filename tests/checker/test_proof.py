#!/usr/bin/env python3
"""The second verifier of proofs, and that it and the product say the same of a thousand drawn ones.

SEKISHO_MAKE_PROOFS is the program that draws them, SEKISHO_SEED where it begins.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import sekisho_proof as proof

HERE = pathlib.Path(__file__).resolve().parent
COUNT = 1000

# RFC 8032, 7.1: public key, message, signature.
RFC8032 = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
]


class Signatures(unittest.TestCase):
    def test_rfc8032(self):
        for public, message, signature in RFC8032:
            public, message, signature = map(bytes.fromhex, (public, message, signature))
            self.assertTrue(proof.ed25519_verify(public, message, signature))
            self.assertFalse(proof.ed25519_verify(public, message + b"x", signature))
            for at in (0, 31, 32, 62):
                wrong = bytearray(signature)
                wrong[at] ^= 1
                self.assertFalse(proof.ed25519_verify(public, message, bytes(wrong)))
            more = int.from_bytes(signature[32:], "little") + proof.L
            self.assertFalse(proof.ed25519_verify(public, message, signature[:32] + more.to_bytes(32, "little")))


class Drawn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        subprocess.run([os.environ["SEKISHO_MAKE_PROOFS"], cls.folder, str(COUNT),
                        os.environ.get("SEKISHO_SEED", "1")], check=True, timeout=100)
        cls.key = proof.Key((cls.folder / "key").read_bytes())

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_agreement(self):
        said = (self.folder / "said").read_text().split()
        self.assertEqual(len(said), COUNT)
        held = 0
        for number, verdict in enumerate(said):
            try:
                proof.check_proof((self.folder / str(number)).read_bytes(), self.key)
                mine = "1"
            except proof.Refused:
                mine = "0"
            self.assertEqual(mine, verdict, f"proof {number}")
            held += mine == "1"
        self.assertGreater(held, COUNT // 4)
        self.assertLess(held, COUNT * 3 // 4)

    def run_checker(self, *arguments):
        done = subprocess.run([sys.executable, HERE / "sekisho_proof.py", *arguments, "--key", self.folder / "key"],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    def test_chain(self):
        whole, held = (self.folder / "checkpoints").read_bytes(), (self.folder / "held").read_bytes()
        self.assertIn("5 checkpoints, 0 torn", proof.check_all(whole, self.key, held))
        ends = [0]
        while ends[-1] < len(whole):
            ends.append(ends[-1] + proof.note_end(whole[ends[-1]:]))
        self.assertIn("4 checkpoints", proof.check_all(whole[:-1], self.key, held))
        for wrong, why in ((whole[:ends[3]], "cut off"),
                           (whole[ends[1]:], "stands first"),
                           (whole[:ends[1]] + whole[ends[2]:], "follows 1")):
            with self.assertRaisesRegex(proof.Refused, why):
                proof.check_all(wrong, self.key, held)
        flipped = bytearray(whole)
        for at in range(0, len(whole), 41):
            flipped[at] ^= 1 << at % 7
            with self.assertRaises(proof.Refused):
                proof.check_all(bytes(flipped), self.key, whole[ends[4]:])
            flipped[at] ^= 1 << at % 7

    def test_command(self):
        code, said = self.run_checker("checkpoints", self.folder / "checkpoints", "--held", self.folder / "held")
        self.assertEqual(code, 0, said)
        code, said = self.run_checker("checkpoint", self.folder / "held")
        self.assertEqual((code, "it holds" in said), (0, True), said)
        code, said = self.run_checker("proof", self.folder / "held")
        self.assertEqual(code, 1, said)


if __name__ == "__main__":
    unittest.main()
