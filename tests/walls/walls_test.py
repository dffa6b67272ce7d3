"""Every checker finds a planted violation, and leaves a clean tree alone. Usage: walls_test.py [CLANG_FORMAT]"""

import os
import shutil
import sys
import tempfile
import unittest

import check_format
import check_includes
import check_ldd
import check_length
import check_top_level
import check_usage

CLANG_FORMAT = shutil.which(sys.argv.pop(1)) if len(sys.argv) > 1 else None


class WallsTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)

    def plant(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def assert_one_problem(self, problems, *words):
        self.assertEqual(len(problems), 1, problems)
        for word in words:
            self.assertIn(word, problems[0])

    def test_allowed_includes_pass(self):
        self.plant("models/a.cc", '#include "models/a.h"\n#include "proto/support/array.h"\n')
        self.plant("models/training/b.cc", '#include <torch/types.h>\n#include "models/training/b.h"\n')
        self.plant("storage/c.cc", '#include <sqlite3.h>\n#include "creamery/v1/job.pb.h"\n')
        self.plant("server/d.cc", '#include <grpcpp/server.h>\n#include "storage/c.h"\n#include "models/a.h"\n')
        self.plant("server/worker/e.cc", '#include "models/training/b.h"\n')
        self.plant("client/f.cc", '#include "creamery/v1/job_service.grpc.pb.h"\n#include "proto/support/array.h"\n')
        self.plant("tests/g.cc", '#include <torch/types.h>\n')
        self.assertEqual(check_includes.check(self.root), [])

    def test_each_forbidden_include_is_found(self):
        for path, included in [
                ("models/a.cc", "torch/types.h"), ("models/plan/a.h", "ATen/ATen.h"), ("server/worker/a.cc", "c10/x.h"),
                ("server/a.cc", "sqlite3.h"), ("models/training/a.cc", "sqlite3.h"), ("storage/a.cc", "grpcpp/server.h"),
                ("models/a.cc", "grpc/grpc.h"), ("proto/support/a.h", "creamery/v1/job_service.grpc.pb.h"),
                ("models/a.cc", "storage/registry.h"), ("storage/a.cc", "models/estimator.h"),
                ("proto/support/a.cc", "models/estimator.h"), ("client/cpp/a.cc", "server/config.h"),
                ("client/cpp/a.cc", "models/estimator.h"), ("storage/a.cc", "server/config.h"),
                ("server/worker/a.cc", "storage/registry.h"), ("models/a.cc", "tests/status_matchers.h"),
                ("server/a.cc", "models/training/trainer.h"), ("models/families.cc", "models/training/trainer.h")]:
            for form in (f'#include "{included}"\n', f"  #  include <{included}>\n"):
                with self.subTest(path=path, form=form):
                    self.plant(path, form)
                    self.assert_one_problem(check_includes.check(self.root), path, included)
                    os.remove(os.path.join(self.root, path))

    def test_a_file_over_500_lines_is_found(self):
        self.plant("server/short.cc", "\n" * 500)
        self.assertEqual(check_length.check(self.root), [])
        self.plant("client/python/long.py", "\n" * 501)
        self.assert_one_problem(check_length.check(self.root), "client/python/long.py", "501")

    def test_a_linked_library_is_found(self):
        self.assertEqual(check_ldd.check("/bin/ls", ["libtorch"]), [])
        self.assert_one_problem(check_ldd.check("/bin/ls", ["libc.so"]), "/bin/ls", "libc.so")

    def test_a_program_without_libraries_is_not_taken_for_clean(self):
        self.plant("server/script", "#!/bin/sh\n")
        self.assert_one_problem(check_ldd.check(os.path.join(self.root, "server/script"), ["libtorch"]), "ldd")

    def test_a_stray_folder_at_the_top_is_found(self):
        self.plant(".clang-format", "")
        self.plant("models/flow.cc", "")
        self.assertEqual(check_top_level.check(self.root), [])
        self.plant("some-logs/run1/events", "")
        self.assert_one_problem(check_top_level.check(self.root), "some-logs")

    def test_a_script_that_ignores_its_arguments_is_found(self):
        self.plant("deploy/sourced.sh", "exit 1\n")
        self.plant("deploy/a.sh", "#!/bin/sh\ncase $1 in -h | --help) echo usage: deploy/a.sh ;; *) "
                                  "echo unknown: $1, usage: deploy/a.sh >&2; exit 2 ;; esac\n")
        os.chmod(os.path.join(self.root, "deploy/a.sh"), 0o755)
        self.assertEqual(check_usage.check(self.root), [])
        self.plant("deploy/a.sh", "#!/bin/sh\necho usage: deploy/a.sh\n")
        self.assert_one_problem(check_usage.check(self.root), "deploy/a.sh", "--surely-unknown")
        self.plant("deploy/a.sh", "#!/bin/sh\necho working\n")
        self.assert_one_problem(check_usage.check(self.root), "deploy/a.sh", "-h")

    @unittest.skipIf(CLANG_FORMAT is None, "no clang-format 14")
    def test_an_unformatted_file_is_found(self):
        self.plant(".clang-format", "BasedOnStyle: Google\n")
        self.plant("models/good.cc", "int f() { return 1; }\n")
        self.assertEqual(check_format.check(CLANG_FORMAT, self.root), [])
        self.plant("models/bad.cc", "int   f( ){return 1;}\n")
        self.assert_one_problem(check_format.check(CLANG_FORMAT, self.root), "models/bad.cc")


if __name__ == "__main__":
    unittest.main()
