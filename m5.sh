source /tmp/h2/env.sh
python /tmp/h2/q/trywin.py c2;python /tmp/h2/q/trywin.py c3;python /tmp/h2/q/trywin.py l2
